"""What the markets say, read by documents: field maps and code lists, one folder a market."""

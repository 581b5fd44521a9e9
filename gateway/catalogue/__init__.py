"""What markets say: projects, issuances and blocks, each with when it was said and by which document."""

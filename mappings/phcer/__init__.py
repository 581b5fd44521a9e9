"""How the exports of the Guangdong PHCER register are read."""

"""Cards by Stripe, with its own library; no object of it passes this package (ST-10)."""

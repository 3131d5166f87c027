"""Money that comes in and goes back: by hand, by bank, by card, by Pix."""

"""RPS as a text file, for cities that take no other, and the file that they answer with (§6)."""

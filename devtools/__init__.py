"""What `./dev` is made of: standard library only, Python 3.11+, Linux; nothing of the product."""

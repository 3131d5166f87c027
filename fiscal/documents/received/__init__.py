"""Documents of others, read into the names of the API."""

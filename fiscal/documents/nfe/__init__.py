"""NF-e (model 55) and NFC-e (model 65): one layout, two catalogues of request fields."""

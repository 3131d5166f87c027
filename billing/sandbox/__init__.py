"""Stand-ins of the providers of payments and e-mail: one HTTP process, no database, no settings.

Each provider is a class in a module of its own and a line in `providers.PROVIDERS`. It imports
nothing of the product, so that a fault of ours cannot hide in both sides.
"""

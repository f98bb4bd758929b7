"""Configuration: the models of routing.yaml, and loading it with the place of every error."""

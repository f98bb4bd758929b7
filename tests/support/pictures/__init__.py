"""The pictures of the documentation, light and dark, made from data of the repository by ``make pictures``."""

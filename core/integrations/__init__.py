"""Where logweir meets the rest of the application: ASGI, WSGI, lifespans and the standard library's logging.

Each module stands alone and imports no framework.
"""

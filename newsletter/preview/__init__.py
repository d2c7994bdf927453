"""The edition in a browser, before it is sent."""

"""The past issues on the web: which files there are, writing them, PDFs of the pages."""

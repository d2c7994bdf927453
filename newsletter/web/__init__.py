"""The public side: what readers and their mail programs can ask of a web server."""

"""The list of subscribers and who must not be mailed."""

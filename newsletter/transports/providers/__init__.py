"""HTTP providers: one file each, a table of what is theirs; docs/adding-a-provider.md."""

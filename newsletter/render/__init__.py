"""Issue to Edition, without I/O."""

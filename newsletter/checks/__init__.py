"""Edition and Issue to findings; one function a check."""

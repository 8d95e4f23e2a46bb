"""Scripts that turn official downloads into the files that the recipes in configs/ read."""

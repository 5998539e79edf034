"""Packages for the makers' tool chains around the generated files: file name in the export → text."""

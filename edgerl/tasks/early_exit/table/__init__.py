"""The table of what every exit answers on every image: built, imported, checked, packed."""

"""What makes the documentation site beside MkDocs: pages from the program, tables of results, the check of links."""

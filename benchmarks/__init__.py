"""EdgeRL against its peers, side by side."""

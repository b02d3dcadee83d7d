"""Statistics over one tidy table of trials. Never imports Django."""

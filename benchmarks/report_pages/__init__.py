"""Reports as pages that any browser shows: one HTML file with its style and its figures inside, and no scripts."""

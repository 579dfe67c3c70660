"""One track per person on the floor, from calibrated cameras whose views overlap."""

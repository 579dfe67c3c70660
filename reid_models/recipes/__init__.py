"""Recipes of the published experiments, one YAML file each; see README.md for where each number comes from."""

"""Keeps marketing and support tools in step with a data warehouse."""

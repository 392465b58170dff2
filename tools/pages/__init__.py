"""Generates the sections of pages that are made from code and schemas."""

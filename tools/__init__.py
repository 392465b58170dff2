"""Generators of files of this repository: other forms of the schemas, and tables of the docs.

For development only: the sdist has this folder, the wheel only its output, and nothing that is installed
imports it. ``make generated`` writes all files; ``tests/tools`` fails where one is out of date.
"""

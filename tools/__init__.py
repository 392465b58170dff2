"""Generators of files that stand in this repository: other forms of the schemas, tables of the pages.

For development only: the sdist has this folder, the wheel has what it wrote. Nothing that is installed
imports it. ``make generated`` writes every file anew, ``tests/tools`` compares.
"""

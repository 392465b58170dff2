"""The page document in other formats: for a pull request, for trace viewers."""

"""The families of students, one a module; core/students/registry.py lists them."""

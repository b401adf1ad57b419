"""Every option of the command line, declared once; what a project and the environment say of them, and the merge.

The command line wins over the environment, that over ``deploy.toml``, that over ``[tool.deploy]`` in
``pyproject.toml``.
"""

"""The model zoo: networks as projects that users copy."""

"""What a user's ``.tflite`` becomes before anything else sees it: one signature, names, fixed shapes."""

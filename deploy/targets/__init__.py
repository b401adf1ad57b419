"""What runs a build: Arm's prebuilt runner, our firmware over the protocol, boards."""

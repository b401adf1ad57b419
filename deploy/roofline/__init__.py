"""How long a network takes, from its layers alone: the roofline model with terms for the NPU's operators."""

"""What runs a network: Keras, or OpenVINO."""

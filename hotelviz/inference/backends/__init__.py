"""What runs a network: Keras, or OpenVINO, which is faster on a processor."""

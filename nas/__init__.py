"""Find small, accurate convolutional networks: Keras architecture search under an exact parameter budget."""

__version__ = "0.1.0"

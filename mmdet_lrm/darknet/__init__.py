"""Darknet's files: networks in ``.cfg``, their numbers in ``.weights``, to and from MMDetection."""

"""Okabe and Ito's colours, which the colour-blind can tell apart (jfly.uni-koeln.de/color)."""

BLUE, ORANGE, GREEN, YELLOW = '#0072B2', '#E69F00', '#009E73', '#F0E442'
RED, SKY, PURPLE = '#D55E00', '#56B4E9', '#CC79A7'
GREY = '#888888'

# Does the gain on dense red cells outlast a training three times as long?
_base_ = './bccd_dense.py'
seeds = 3
epochs = 24
last = 3

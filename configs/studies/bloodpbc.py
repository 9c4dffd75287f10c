# Blood smears of other laboratories: does the gain on touching red cells hold? See confirmation.md.
_base_ = './_base_/confirmation.py'
data = dict(BCCD_ROOT='data/bloodpbc')
input_size = (192, 192)
epochs = 32
metric = 'voc/RBC_AP'

# Two detectors at full size from scratch on cells, each without mining and with a quarter of the
# priors, before K was chosen for each of them.
#
# The records are of trainings by tools/train.py and of tools/test.py on the test split, before
# there were studies: theirs are the metrics named test/... and epochs evaluated every five.
baseline = ['yolov3-mobilenetv2_bccd.py', 'ssdlite_bccd.py']
variants = [dict(hard_ratio=0.25)]
seeds = 1
metric = 'test/voc/mAP'

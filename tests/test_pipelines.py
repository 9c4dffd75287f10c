from mmdet_lrm.pipelines import resized


def test_every_step_that_names_a_scale_is_resized_and_the_base_stays():
    base = [dict(type='Load'), dict(type='Resize', scale=(416, 416), keep_ratio=False)]
    assert resized(base, (640, 192)) == [
        dict(type='Load'),
        dict(type='Resize', scale=(640, 192), keep_ratio=False),
    ]
    assert base[1]['scale'] == (416, 416)

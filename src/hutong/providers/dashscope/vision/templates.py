"""The repertoire: each of the vendor's twenty `driven_id` values with its performance."""

from __future__ import annotations

from types import MappingProxyType

from hutong.providers.dashscope.vision.motions import Motion, Track, blinks, both, during, held, keys, plus, swell, wave


def _motion(driven_id: str, seconds: float, **tracks: Track) -> Motion:
    return Motion(driven_id, seconds, MappingProxyType(tracks))


CUTE = (
    _motion(
        "mengwa_kaixin",
        3.0,  # happy: bouncing laugh
        mouth=during(held(1.0), plus(held(0.38), swell(0.3, 6))),
        smile=held(0.9),
        bob=during(held(1.0), swell(-0.05, 6)),
        roll=during(held(1.0), wave(7.0, 3)),
        stretch=during(held(1.0), wave(0.035, 6)),
        **both("lid", held(0.62)),
        **both("brow", held(0.5)),
    ),
    _motion(
        "mengwa_dengyan",
        2.6,  # glare: the eyes pop
        zoom=keys((0.0, 0.0), (0.25, 0.0), (0.36, 0.13), (0.8, 0.1), (0.95, 0.0)),
        pucker=held(0.45, 0.3),
        mouth=held(-0.8, 0.25),
        pitch=keys((0.0, 0.0), (0.2, 7.0), (0.36, -6.0), (0.8, -5.0), (0.95, 0.0)),
        **both(
            "lid",
            keys(
                (0.0, 0.0),
                (0.12, 0.0),
                (0.2, 0.9),
                (0.33, -1.0),
                (0.55, -1.0),
                (0.6, 0.8),
                (0.66, -1.0),
                (0.85, -0.9),
                (0.95, 0.0),
            ),
        ),
        **both("brow", keys((0.0, 0.0), (0.18, -0.5), (0.33, 1.0), (0.85, 0.9), (0.97, 0.0))),
    ),
    _motion(
        "mengwa_gandong",
        3.6,  # moved: wet eyes, trembling lip
        furrow=held(-0.9),
        wet=held(1.0, 0.2),
        tears=keys((0.0, 0.0), (0.35, 0.0), (0.88, 0.75), (0.96, 0.0)),
        smile=during(held(1.0), plus(held(0.25), wave(0.16, 12))),
        mouth=during(held(1.0), plus(held(-0.35), wave(0.06, 10))),
        pitch=held(-6.0),
        roll=held(6.0, 0.3),
        gaze_y=held(-0.5),
        blush=held(0.7),
        **both("brow", held(0.35)),
        **both("lid", plus(blinks(0.3, 0.6), held(-0.25))),
    ),
    _motion(
        "mengwa_renzhen_1",
        3.0,  # serious: a slow, firm nod
        furrow=held(0.9),
        mouth=held(-1.0),
        smile=held(-0.45),
        **both("brow", held(-0.5)),
        **both("lid", held(0.22)),
        pitch=keys((0.0, 0.0), (0.25, -5.0), (0.4, 9.0), (0.52, -3.0), (0.66, 9.0), (0.8, 0.0)),
        zoom=held(0.07, 0.2, 0.9),
    ),
    _motion(
        "mengwa_jidong",
        2.4,  # excited: shaking with joy
        mouth=held(0.95, 0.12),
        smile=held(0.55),
        **both("lid", held(-0.8)),
        **both("brow", held(1.0)),
        shift=during(held(1.0), wave(0.022, 12)),
        bob=during(held(1.0), wave(0.05, 6)),
        roll=during(held(1.0), wave(5.0, 6)),
        zoom=during(held(1.0), swell(0.05, 3)),
    ),
    _motion(
        "mengwa_kun_1",
        4.4,  # sleepy: yawn, nod off, start up
        mouth=keys((0.0, 0.0), (0.06, 0.0), (0.2, 0.95), (0.3, 0.9), (0.4, 0.0)),
        pucker=held(0.3, 0.12, 0.36, 0.08),
        **both(
            "lid",
            keys(
                (0.0, 0.15),
                (0.16, 0.9),
                (0.34, 0.95),
                (0.44, 0.5),
                (0.6, 0.75),
                (0.76, 1.0),
                (0.84, 1.0),
                (0.875, -0.6),
                (0.94, -0.4),
                (0.99, 0.15),
            ),
        ),
        pitch=keys((0.0, 0.0), (0.22, -9.0), (0.42, 0.0), (0.62, 8.0), (0.82, 15.0), (0.88, -5.0), (0.96, 0.0)),
        roll=keys((0.0, 0.0), (0.45, 0.0), (0.82, 10.0), (0.88, 0.0)),
        bob=keys((0.0, 0.0), (0.45, 0.0), (0.82, 0.08), (0.88, -0.02), (0.95, 0.0)),
        **both("brow", keys((0.0, 0.0), (0.2, 0.6), (0.42, 0.2), (0.82, 0.1), (0.88, 0.9), (0.97, 0.0))),
    ),
    _motion(
        "mengwa_jiaoxie",
        3.2,  # disarming: head tilt, pout and flutter
        roll=keys((0.0, 0.0), (0.2, 12.0), (0.5, 12.0), (0.7, -11.0), (0.88, -11.0)),
        pucker=held(0.8),
        mouth=held(-0.9),
        blush=held(0.9),
        yaw=keys((0.0, 0.0), (0.2, -8.0), (0.5, -8.0), (0.7, 8.0), (0.88, 8.0)),
        furrow=held(-0.6),
        **both("lid", plus(blinks(0.28, 0.38, 0.72, 0.82), held(-0.5))),
        **both("brow", held(0.6)),
        pitch=held(4.0),
        gaze_y=held(-0.4),
    ),
)
"""mengwa, "cute kid": big, round, bouncy."""


OFFICE = (
    _motion(
        "dagong_kaixin",
        2.8,  # happy: off work, swaying laugh
        smile=held(1.0),
        mouth=during(held(1.0), plus(held(0.3), swell(0.22, 4))),
        **both("lid", held(0.5)),
        roll=during(held(1.0), wave(9.0, 2)),
        shift=during(held(1.0), wave(0.05, 2)),
        bob=during(held(1.0), swell(-0.04, 4)),
        **both("brow", held(0.4)),
    ),
    _motion(
        "dagong_yangwang",
        3.4,  # looking up: longing for the sky
        pitch=held(-15.0, 0.2),
        gaze_y=held(-1.0, 0.16),
        yaw=held(8.0, 0.25),
        mouth=plus(held(-0.6, 0.15, 0.4), held(0.12, 0.45)),
        furrow=held(-0.7),
        **both("brow", held(0.8)),
        **both("lid", plus(held(-0.3), blinks(0.5, 0.68))),
        bob=held(-0.03, 0.25),
        roll=held(-3.0, 0.3),
    ),
    _motion(
        "dagong_kunhuo",
        3.2,  # confused: one brow, head cocked this way and that
        roll=keys((0.0, 0.0), (0.18, 13.0), (0.42, 13.0), (0.6, -10.0), (0.82, -10.0)),
        brow_left=held(1.0),
        brow_right=held(-0.7),
        gaze_x=keys((0.0, 0.0), (0.2, 0.8), (0.42, 0.8), (0.6, -0.8), (0.82, -0.8)),
        furrow=held(0.4),
        pucker=held(0.5),
        smirk=held(-0.4),
        lid_right=plus(held(0.3), blinks(0.5)),
        lid_left=plus(held(-0.4), blinks(0.5)),
        jaw=held(0.5),
        mouth=held(-0.7),
    ),
    _motion(
        "dagong_zhuakuang",
        2.4,  # going crazy: shaking scream
        mouth=during(held(1.0, 0.12), plus(held(0.9, 0.1), wave(0.1, 8))),
        yaw=during(held(1.0), wave(15.0, 6)),
        roll=during(held(1.0), wave(6.0, 6, 0.25)),
        furrow=held(1.0),
        sneer=held(0.8),
        **both("lid", held(0.9)),
        shift=during(held(1.0), wave(0.03, 12)),
        zoom=held(0.1),
        **both("brow", held(-0.5)),
    ),
    _motion(
        "dagong_wunai",
        3.4,  # helpless: eye roll, sigh, shake of the head
        gaze_y=keys((0.0, 0.0), (0.1, 0.0), (0.22, -1.0), (0.42, -0.9), (0.52, 0.3), (0.85, 0.4)),
        gaze_x=keys((0.0, 0.0), (0.15, -0.7), (0.3, 0.3), (0.42, 0.8), (0.54, 0.0)),
        smile=held(-0.75, 0.4),
        mouth=held(-0.8, 0.3),
        puff=keys((0.0, 0.0), (0.45, 0.0), (0.52, 0.9), (0.62, 0.9), (0.7, 0.0)),
        yaw=keys((0.0, 0.0), (0.5, 0.0), (0.6, -8.0), (0.7, 8.0), (0.8, -5.0), (0.9, 0.0)),
        pitch=keys((0.0, 0.0), (0.22, -6.0), (0.52, 6.0), (0.85, 6.0)),
        **both("lid", keys((0.0, 0.0), (0.2, 0.0), (0.52, 0.7), (0.85, 0.55), (0.95, 0.0))),
        furrow=held(-0.7),
        bob=keys((0.0, 0.0), (0.45, -0.02), (0.6, 0.05), (0.85, 0.05)),
    ),
    _motion(
        "dagong_weixiao",
        3.0,  # smile: polite, with dead eyes
        smile=held(0.6, 0.2, 0.9, 0.25),
        **both("lid", plus(held(0.15), blinks(0.42, 0.58))),
        yaw=held(5.0, 0.3),
        roll=held(-4.0, 0.3),
        pitch=keys((0.0, 0.0), (0.45, 5.0), (0.65, 0.0)),
        **both("brow", held(0.2)),
    ),
    _motion(
        "dagong_ganji",
        3.2,  # grateful: eyes shut, deep bows
        pitch=keys((0.0, 0.0), (0.22, 16.0), (0.38, 0.0), (0.58, 16.0), (0.78, 0.0)),
        bob=keys((0.0, 0.0), (0.22, 0.1), (0.38, 0.0), (0.58, 0.1), (0.78, 0.0)),
        **both("lid", keys((0.0, 0.0), (0.16, 0.95), (0.3, 0.9), (0.4, -0.1), (0.52, 0.95), (0.68, 0.9), (0.8, 0.0))),
        smile=held(0.6),
        furrow=held(-0.7),
        wet=held(0.6),
        **both("brow", held(0.3)),
        mouth=keys((0.0, 0.0), (0.35, 0.0), (0.4, 0.2), (0.5, 0.0), (0.74, 0.0), (0.8, 0.22), (0.9, 0.0)),
    ),
)
"""dagong, "working for a living": drier, smaller, wearier."""


CLASSIC = (
    _motion(
        "jingdian_tiaopi",
        2.8,  # naughty: wink and crooked grin
        lid_right=keys(
            (0.0, 0.0), (0.2, 0.0), (0.28, 1.0), (0.48, 1.0), (0.55, 0.0), (0.64, 1.0), (0.74, 1.0), (0.82, 0.0)
        ),
        smirk=held(1.0, 0.18),
        smile=held(0.25),
        lid_left=held(-0.3),
        brow_left=held(0.9),
        brow_right=held(-0.3),
        roll=keys((0.0, 0.0), (0.26, 11.0), (0.5, 9.0), (0.66, 12.0), (0.85, 0.0)),
        mouth=held(0.16, 0.22),
        yaw=held(-7.0, 0.25),
        jaw=during(held(1.0), wave(0.7, 3)),
    ),
    _motion(
        "jingdian_deyi_1",
        3.0,  # smug: chin up, brows dancing
        pitch=held(-9.0),
        smirk=held(-0.9),
        smile=held(0.25),
        **both("lid", held(0.42)),
        brow_left=during(held(1.0), plus(held(0.4), wave(0.6, 5))),
        brow_right=during(held(1.0), plus(held(0.4), wave(0.6, 5, 0.5))),
        roll=during(held(1.0), wave(7.0, 2)),
        shift=during(held(1.0), wave(0.03, 2)),
        gaze_x=held(-0.5),
    ),
    _motion(
        "jingdian_qidai",
        2.8,  # expectant: wide eyes, leaning in, rocking
        **both("lid", plus(held(-0.85), blinks(0.5))),
        **both("brow", held(0.9)),
        smile=held(0.55),
        mouth=held(0.22, 0.25),
        zoom=held(0.13, 0.25),
        wet=held(0.8),
        bob=during(held(1.0), wave(0.028, 4)),
        gaze_x=during(held(1.0), wave(0.6, 2)),
        pitch=held(-4.0),
    ),
    _motion(
        "jingdian_landuo_1",
        4.0,  # lazy: heavy lids, the head sinks aside
        **both("lid", keys((0.0, 0.1), (0.25, 0.6), (0.45, 0.7), (0.6, 1.0), (0.7, 0.6), (0.88, 0.6), (0.97, 0.15))),
        roll=keys((0.0, 0.0), (0.4, -15.0), (0.85, -13.0)),
        shift=keys((0.0, 0.0), (0.4, -0.06), (0.85, -0.06)),
        bob=keys((0.0, 0.0), (0.45, 0.07), (0.85, 0.06)),
        smile=held(-0.3),
        jaw=held(-0.6, 0.4),
        mouth=held(-0.6, 0.2, 0.9),
        puff=held(0.3, 0.4),
    ),
    _motion(
        "jingdian_xianqi",
        3.0,  # disdain: looks away sideways, sneers
        yaw=held(-13.0, 0.22),
        gaze_x=plus(held(1.0, 0.3, 0.78)),
        sneer=held(0.7),
        **both("lid", held(0.5)),
        smile=held(-0.6),
        mouth=held(-0.8),
        brow_right=held(0.6),
        brow_left=held(-0.6),
        furrow=held(0.3),
        pitch=held(-5.0),
        roll=held(-5.0),
        shift=held(-0.03),
    ),
    _motion(
        "jingdian_lei",
        3.6,  # tears: sobbing
        tears=keys((0.0, 0.0), (0.12, 0.0), (0.9, 1.0), (0.97, 0.0)),
        wet=held(1.0),
        furrow=held(-1.0),
        smile=held(-0.9),
        mouth=during(held(1.0), plus(held(-0.2), swell(0.5, 6))),
        bob=during(held(1.0), wave(0.02, 9)),
        **both("lid", plus(held(0.55), during(held(1.0), wave(0.2, 3)))),
        pitch=held(5.0),
        blush=held(0.5),
        **both("brow", held(0.2)),
        roll=during(held(1.0), wave(3.0, 3)),
    ),
)
"""jingdian, "classic": the evergreen faces of a chat."""


MOTIONS = MappingProxyType({motion.driven_id: motion for motion in (*CUTE, *OFFICE, *CLASSIC)})
"""Every template the vendor documents for emoji-v1, by driven_id."""

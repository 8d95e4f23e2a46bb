"""Words that say nothing about what a photo shows, so they make no attribute words."""

STOP_WORDS = frozenset(
    """
    'd 'm 're 's , a about above across after again against all alone along also am among an
    and another any appear appears are around as at away back background be because been
    before behind being below beside besides between both bottom but by can center could did
    different do does doing done down during each even ever few for foreground from front
    get gets getting go goes going got had has have having he her here hers herself him
    himself his how i if image in inside into is it it's its itself just kind left like look
    looked looking looks lot lots made make makes making many may me middle might more most
    much must my n't near next no not of off on one's only onto or other our out outside
    over own part photo photograph picture right same see seem seems seen sees set several
    shall she should show showing shown shows side so some somebody someone something sort
    still such take taken takes taking than that the their them themselves then there these
    they thing things this those through to together too top toward towards type under until
    up upon us use used uses using various very view viewed was way we well were what when
    where which while whilst who whose will with within without would you your
    """.split()  # noqa: SIM905
)

"""The families of the published models' languages that the paper's tables lack.

The names are those of FLORES-101's table of languages if it has one: "Other IE" are Indo-European
languages outside the branches named here, "Nilotic+Other AC" Nilotic and Atlantic-Congo ones except Bantu.
"""

from __future__ import annotations

from collections.abc import Mapping

_CODES = {
    "Germanic": "da fao_Latn fy is lb lim_Latn nno_Latn sv yi",
    "Romance": "ast ca fur_Latn gl lij_Latn lmo_Latn ro scn_Latn srd_Latn vec_Latn",
    "Balto-Slavic": "be bg bs cs hr lt ltg_Latn lv mk pl sk sl sr szl_Latn uk",
    "Indo-Aryan": """
        as awa_Deva bho_Deva bn gu hne_Deva kas_Arab kas_Deva mag_Deva mai_Deva mr ne pa san_Deva si ur
    """,
    "Other IE": "br cy el fa ga gd kmr ku prs_Arab ps sq tg",
    "Afro-Asiatic": """
        acm_Arab acq_Arab aeb_Arab ajp_Arab apc_Arab ars_Arab ary_Arab arz_Arab kab_Latn om so taq_Latn
        taq_Tfng ti tzm_Tfng
    """,
    "Bantu": """
        bem_Latn cjk kg kik_Latn kin_Latn kmb lg ln lua_Latn ns run_Latn sot_Latn ss sw tn tso_Latn
        tum_Latn umb xh
    """,
    "Nilotic+Other AC": "aka_Latn dik_Latn ewe_Latn fon_Latn ig kbp_Latn luo mos_Latn nus_Latn twi_Latn",
    "Mande": "bam_Latn dyu",
    "Saharan": "knc_Arab knc_Latn",
    "Turkic": "az azb_Arab ba crh_Latn kk ky tat_Cyrl tr tuk_Latn uig_Arab uz",
    "Mongolic": "mn",
    "Uralic": "et fi hu",
    "Basque": "eus_Latn",
    "Kartvelian": "ka",
    "Dravidian": "kn ml ta te",
    "Sino-Tibetan": "bod_Tibt dzo_Tibt kac lus_Latn mni_Beng my yue_Hant zho_Hant",
    "Kra-Dai": "lo shn th",
    "Austroasiatic": "km sat_Beng vi",
    "Austronesian": """
        ace_Arab ace_Latn ban_Latn bjn_Arab bjn_Latn bug_Latn ceb fij_Latn id ilo jv mg mi min_Latn ms
        pag_Latn smo_Latn su tl war_Latn
    """,
    "Aymaran": "ay",
    "Quechuan": "qu",
    "Tupian": "grn_Latn",
    "Creole": "ht kea pap_Latn sag_Latn tpi_Latn",
    "constructed": "epo_Latn",
}

FAMILY_OF: Mapping[str, str] = {code: family for family, codes in _CODES.items() for code in codes.split()}
"""The family by model code."""

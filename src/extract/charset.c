#include "extract/charset.h"

#include "base/limits.h"

#define LABEL_BYTES_MAX 40

/* What the bytes from 256 - n to 255 stand for, in UTF-8; U+FFFD: nothing.
 * Source: WHATWG Encoding, indexes (ISO ones without their control codes). */
struct table {
    str name;
    unsigned n;
    const char *signs;
};

struct alias {
    str label, name;
};

static const struct table TABLES[] = {
    {STR_INIT("windows-1250"), 128,
     "€\ufffd‚\ufffd„…†‡\ufffd‰Š‹ŚŤŽŹ\ufffd‘’“”•–—\ufffd™š›śťžź\u00a0ˇ˘Ł¤Ą"
     "¦§¨©Ş«¬\u00ad®Ż°±˛ł´µ¶·¸ąş»Ľ˝ľżŔÁÂĂÄĹĆÇČÉĘËĚÍÎĎĐŃŇÓÔŐÖ×ŘŮÚŰÜÝŢßŕáâăä"
     "ĺćçčéęëěíîďđńňóôőö÷řůúűüýţ˙"},
    {STR_INIT("windows-1251"), 128,
     "ЂЃ‚ѓ„…†‡€‰Љ‹ЊЌЋЏђ‘’“”•–—\ufffd™љ›њќћџ\u00a0ЎўЈ¤Ґ¦§Ё©Є«¬\u00ad®Ї°±Ііґ"
     "µ¶·ё№є»јЅѕїАБВГДЕЖЗИЙКЛМНОПРСТУФХЦЧШЩЪЫЬЭЮЯабвгдежзийклмнопрстуфхцчш"
     "щъыьэюя"},
    {STR_INIT("windows-1253"), 128,
     "€\ufffd‚ƒ„…†‡\ufffd‰\ufffd‹\ufffd\ufffd\ufffd\ufffd\ufffd‘’“”•–—"
     "\ufffd™\ufffd›\ufffd\ufffd\ufffd\ufffd\u00a0΅Ά£¤¥¦§¨©\ufffd«¬\u00ad®"
     "―°±²³΄µ¶·ΈΉΊ»Ό½ΎΏΐΑΒΓΔΕΖΗΘΙΚΛΜΝΞΟΠΡ\ufffdΣΤΥΦΧΨΩΪΫάέήίΰαβγδεζηθικλμν"
     "ξοπρςστυφχψωϊϋόύώ\ufffd"},
    {STR_INIT("windows-1254"), 128,
     "€\ufffd‚ƒ„…†‡ˆ‰Š‹Œ\ufffd\ufffd\ufffd\ufffd‘’“”•–—˜™š›œ\ufffd\ufffdŸ"
     "\u00a0¡¢£¤¥¦§¨©ª«¬\u00ad®¯°±²³´µ¶·¸¹º»¼½¾¿ÀÁÂÃÄÅÆÇÈÉÊËÌÍÎÏĞÑÒÓÔÕÖ×ØÙ"
     "ÚÛÜİŞßàáâãäåæçèéêëìíîïğñòóôõö÷øùúûüışÿ"},
    {STR_INIT("windows-1255"), 128,
     "\u20ac\ufffd\u201a\u0192\u201e\u2026\u2020\u2021\u02c6\u2030\ufffd"
     "\u2039\ufffd\ufffd\ufffd\ufffd\ufffd\u2018\u2019\u201c\u201d\u2022"
     "\u2013\u2014\u02dc\u2122\ufffd\u203a\ufffd\ufffd\ufffd\ufffd\u00a0"
     "\u00a1\u00a2\u00a3\u20aa\u00a5\u00a6\u00a7\u00a8\u00a9\u00d7\u00ab"
     "\u00ac\u00ad\u00ae\u00af\u00b0\u00b1\u00b2\u00b3\u00b4\u00b5\u00b6"
     "\u00b7\u00b8\u00b9\u00f7\u00bb\u00bc\u00bd\u00be\u00bf\u05b0\u05b1"
     "\u05b2\u05b3\u05b4\u05b5\u05b6\u05b7\u05b8\u05b9\ufffd\u05bb\u05bc"
     "\u05bd\u05be\u05bf\u05c0\u05c1\u05c2\u05c3\u05f0\u05f1\u05f2\u05f3"
     "\u05f4\ufffd\ufffd\ufffd\ufffd\ufffd\ufffd\ufffd\u05d0\u05d1\u05d2"
     "\u05d3\u05d4\u05d5\u05d6\u05d7\u05d8\u05d9\u05da\u05db\u05dc\u05dd"
     "\u05de\u05df\u05e0\u05e1\u05e2\u05e3\u05e4\u05e5\u05e6\u05e7\u05e8"
     "\u05e9\u05ea\ufffd\ufffd\u200e\u200f\ufffd"},
    {STR_INIT("windows-1256"), 128,
     "\u20ac\u067e\u201a\u0192\u201e\u2026\u2020\u2021\u02c6\u2030\u0679"
     "\u2039\u0152\u0686\u0698\u0688\u06af\u2018\u2019\u201c\u201d\u2022"
     "\u2013\u2014\u06a9\u2122\u0691\u203a\u0153\u200c\u200d\u06ba\u00a0"
     "\u060c\u00a2\u00a3\u00a4\u00a5\u00a6\u00a7\u00a8\u00a9\u06be\u00ab"
     "\u00ac\u00ad\u00ae\u00af\u00b0\u00b1\u00b2\u00b3\u00b4\u00b5\u00b6"
     "\u00b7\u00b8\u00b9\u061b\u00bb\u00bc\u00bd\u00be\u061f\u06c1\u0621"
     "\u0622\u0623\u0624\u0625\u0626\u0627\u0628\u0629\u062a\u062b\u062c"
     "\u062d\u062e\u062f\u0630\u0631\u0632\u0633\u0634\u0635\u0636\u00d7"
     "\u0637\u0638\u0639\u063a\u0640\u0641\u0642\u0643\u00e0\u0644\u00e2"
     "\u0645\u0646\u0647\u0648\u00e7\u00e8\u00e9\u00ea\u00eb\u0649\u064a"
     "\u00ee\u00ef\u064b\u064c\u064d\u064e\u00f4\u064f\u0650\u00f7\u0651"
     "\u00f9\u0652\u00fb\u00fc\u200e\u200f\u06d2"},
    {STR_INIT("windows-1257"), 128,
     "€\ufffd‚\ufffd„…†‡\ufffd‰\ufffd‹\ufffd¨ˇ¸\ufffd‘’“”•–—\ufffd™\ufffd›"
     "\ufffd¯˛\ufffd\u00a0\ufffd¢£¤\ufffd¦§Ø©Ŗ«¬\u00ad®Æ°±²³´µ¶·ø¹ŗ»¼½¾æĄĮ"
     "ĀĆÄÅĘĒČÉŹĖĢĶĪĻŠŃŅÓŌÕÖ×ŲŁŚŪÜŻŽßąįāćäåęēčéźėģķīļšńņóōõö÷ųłśūüżž˙"},
    {STR_INIT("windows-1258"), 128,
     "\u20ac\ufffd\u201a\u0192\u201e\u2026\u2020\u2021\u02c6\u2030\ufffd"
     "\u2039\u0152\ufffd\ufffd\ufffd\ufffd\u2018\u2019\u201c\u201d\u2022"
     "\u2013\u2014\u02dc\u2122\ufffd\u203a\u0153\ufffd\ufffd\u0178\u00a0"
     "\u00a1\u00a2\u00a3\u00a4\u00a5\u00a6\u00a7\u00a8\u00a9\u00aa\u00ab"
     "\u00ac\u00ad\u00ae\u00af\u00b0\u00b1\u00b2\u00b3\u00b4\u00b5\u00b6"
     "\u00b7\u00b8\u00b9\u00ba\u00bb\u00bc\u00bd\u00be\u00bf\u00c0\u00c1"
     "\u00c2\u0102\u00c4\u00c5\u00c6\u00c7\u00c8\u00c9\u00ca\u00cb\u0300"
     "\u00cd\u00ce\u00cf\u0110\u00d1\u0309\u00d3\u00d4\u01a0\u00d6\u00d7"
     "\u00d8\u00d9\u00da\u00db\u00dc\u01af\u0303\u00df\u00e0\u00e1\u00e2"
     "\u0103\u00e4\u00e5\u00e6\u00e7\u00e8\u00e9\u00ea\u00eb\u0301\u00ed"
     "\u00ee\u00ef\u0111\u00f1\u0323\u00f3\u00f4\u01a1\u00f6\u00f7\u00f8"
     "\u00f9\u00fa\u00fb\u00fc\u01b0\u20ab\u00ff"},
    {STR_INIT("windows-874"), 128,
     "\u20ac\ufffd\ufffd\ufffd\ufffd\u2026\ufffd\ufffd\ufffd\ufffd\ufffd"
     "\ufffd\ufffd\ufffd\ufffd\ufffd\ufffd\u2018\u2019\u201c\u201d\u2022"
     "\u2013\u2014\ufffd\ufffd\ufffd\ufffd\ufffd\ufffd\ufffd\ufffd\u00a0"
     "\u0e01\u0e02\u0e03\u0e04\u0e05\u0e06\u0e07\u0e08\u0e09\u0e0a\u0e0b"
     "\u0e0c\u0e0d\u0e0e\u0e0f\u0e10\u0e11\u0e12\u0e13\u0e14\u0e15\u0e16"
     "\u0e17\u0e18\u0e19\u0e1a\u0e1b\u0e1c\u0e1d\u0e1e\u0e1f\u0e20\u0e21"
     "\u0e22\u0e23\u0e24\u0e25\u0e26\u0e27\u0e28\u0e29\u0e2a\u0e2b\u0e2c"
     "\u0e2d\u0e2e\u0e2f\u0e30\u0e31\u0e32\u0e33\u0e34\u0e35\u0e36\u0e37"
     "\u0e38\u0e39\u0e3a\ufffd\ufffd\ufffd\ufffd\u0e3f\u0e40\u0e41\u0e42"
     "\u0e43\u0e44\u0e45\u0e46\u0e47\u0e48\u0e49\u0e4a\u0e4b\u0e4c\u0e4d"
     "\u0e4e\u0e4f\u0e50\u0e51\u0e52\u0e53\u0e54\u0e55\u0e56\u0e57\u0e58"
     "\u0e59\u0e5a\u0e5b\ufffd\ufffd\ufffd\ufffd"},
    {STR_INIT("iso-8859-2"), 96,
     "\u00a0Ą˘Ł¤ĽŚ§¨ŠŞŤŹ\u00adŽŻ°ą˛ł´ľśˇ¸šşťź˝žżŔÁÂĂÄĹĆÇČÉĘËĚÍÎĎĐŃŇÓÔŐÖ×ŘŮ"
     "ÚŰÜÝŢßŕáâăäĺćçčéęëěíîďđńňóôőö÷řůúűüýţ˙"},
    {STR_INIT("iso-8859-3"), 96,
     "\u00a0Ħ˘£¤\ufffdĤ§¨İŞĞĴ\u00ad\ufffdŻ°ħ²³´µĥ·¸ışğĵ½\ufffdżÀÁÂ\ufffdÄĊ"
     "ĈÇÈÉÊËÌÍÎÏ\ufffdÑÒÓÔĠÖ×ĜÙÚÛÜŬŜßàáâ\ufffdäċĉçèéêëìíîï\ufffdñòóôġö÷ĝùú"
     "ûüŭŝ˙"},
    {STR_INIT("iso-8859-4"), 96,
     "\u00a0ĄĸŖ¤ĨĻ§¨ŠĒĢŦ\u00adŽ¯°ą˛ŗ´ĩļˇ¸šēģŧŊžŋĀÁÂÃÄÅÆĮČÉĘËĖÍÎĪĐŅŌĶÔÕÖ×ØŲ"
     "ÚÛÜŨŪßāáâãäåæįčéęëėíîīđņōķôõö÷øųúûüũū˙"},
    {STR_INIT("iso-8859-5"), 96,
     "\u00a0ЁЂЃЄЅІЇЈЉЊЋЌ\u00adЎЏАБВГДЕЖЗИЙКЛМНОПРСТУФХЦЧШЩЪЫЬЭЮЯабвгдежзий"
     "клмнопрстуфхцчшщъыьэюя№ёђѓєѕіїјљњћќ§ўџ"},
    {STR_INIT("iso-8859-6"), 96,
     "\u00a0\ufffd\ufffd\ufffd\u00a4\ufffd\ufffd\ufffd\ufffd\ufffd\ufffd"
     "\ufffd\u060c\u00ad\ufffd\ufffd\ufffd\ufffd\ufffd\ufffd\ufffd\ufffd"
     "\ufffd\ufffd\ufffd\ufffd\ufffd\u061b\ufffd\ufffd\ufffd\u061f\ufffd"
     "\u0621\u0622\u0623\u0624\u0625\u0626\u0627\u0628\u0629\u062a\u062b"
     "\u062c\u062d\u062e\u062f\u0630\u0631\u0632\u0633\u0634\u0635\u0636"
     "\u0637\u0638\u0639\u063a\ufffd\ufffd\ufffd\ufffd\ufffd\u0640\u0641"
     "\u0642\u0643\u0644\u0645\u0646\u0647\u0648\u0649\u064a\u064b\u064c"
     "\u064d\u064e\u064f\u0650\u0651\u0652\ufffd\ufffd\ufffd\ufffd\ufffd"
     "\ufffd\ufffd\ufffd\ufffd\ufffd\ufffd\ufffd\ufffd"},
    {STR_INIT("iso-8859-7"), 96,
     "\u00a0‘’£€₯¦§¨©ͺ«¬\u00ad\ufffd―°±²³΄΅Ά·ΈΉΊ»Ό½ΎΏΐΑΒΓΔΕΖΗΘΙΚΛΜΝΞΟΠΡ"
     "\ufffdΣΤΥΦΧΨΩΪΫάέήίΰαβγδεζηθικλμνξοπρςστυφχψωϊϋόύώ\ufffd"},
    {STR_INIT("iso-8859-8"), 96,
     "\u00a0\ufffd\u00a2\u00a3\u00a4\u00a5\u00a6\u00a7\u00a8\u00a9\u00d7"
     "\u00ab\u00ac\u00ad\u00ae\u00af\u00b0\u00b1\u00b2\u00b3\u00b4\u00b5"
     "\u00b6\u00b7\u00b8\u00b9\u00f7\u00bb\u00bc\u00bd\u00be\ufffd\ufffd"
     "\ufffd\ufffd\ufffd\ufffd\ufffd\ufffd\ufffd\ufffd\ufffd\ufffd\ufffd"
     "\ufffd\ufffd\ufffd\ufffd\ufffd\ufffd\ufffd\ufffd\ufffd\ufffd\ufffd"
     "\ufffd\ufffd\ufffd\ufffd\ufffd\ufffd\ufffd\ufffd\u2017\u05d0\u05d1"
     "\u05d2\u05d3\u05d4\u05d5\u05d6\u05d7\u05d8\u05d9\u05da\u05db\u05dc"
     "\u05dd\u05de\u05df\u05e0\u05e1\u05e2\u05e3\u05e4\u05e5\u05e6\u05e7"
     "\u05e8\u05e9\u05ea\ufffd\ufffd\u200e\u200f\ufffd"},
    {STR_INIT("iso-8859-10"), 96,
     "\u00a0ĄĒĢĪĨĶ§ĻĐŠŦŽ\u00adŪŊ°ąēģīĩķ·ļđšŧž―ūŋĀÁÂÃÄÅÆĮČÉĘËĖÍÎÏÐŅŌÓÔÕÖŨØŲ"
     "ÚÛÜÝÞßāáâãäåæįčéęëėíîïðņōóôõöũøųúûüýþĸ"},
    {STR_INIT("iso-8859-13"), 96,
     "\u00a0”¢£¤„¦§Ø©Ŗ«¬\u00ad®Æ°±²³“µ¶·ø¹ŗ»¼½¾æĄĮĀĆÄÅĘĒČÉŹĖĢĶĪĻŠŃŅÓŌÕÖ×ŲŁ"
     "ŚŪÜŻŽßąįāćäåęēčéźėģķīļšńņóōõö÷ųłśūüżž’"},
    {STR_INIT("iso-8859-14"), 96,
     "\u00a0Ḃḃ£ĊċḊ§Ẁ©ẂḋỲ\u00ad®ŸḞḟĠġṀṁ¶ṖẁṗẃṠỳẄẅṡÀÁÂÃÄÅÆÇÈÉÊËÌÍÎÏŴÑÒÓÔÕÖṪØÙ"
     "ÚÛÜÝŶßàáâãäåæçèéêëìíîïŵñòóôõöṫøùúûüýŷÿ"},
    {STR_INIT("iso-8859-15"), 96,
     "\u00a0¡¢£€¥Š§š©ª«¬\u00ad®¯°±²³Žµ¶·ž¹º»ŒœŸ¿ÀÁÂÃÄÅÆÇÈÉÊËÌÍÎÏÐÑÒÓÔÕÖ×ØÙ"
     "ÚÛÜÝÞßàáâãäåæçèéêëìíîïðñòóôõö÷øùúûüýþÿ"},
    {STR_INIT("iso-8859-16"), 96,
     "\u00a0ĄąŁ€„Š§š©Ș«Ź\u00adźŻ°±ČłŽ”¶·žčș»ŒœŸżÀÁÂĂÄĆÆÇÈÉÊËÌÍÎÏĐŃÒÓÔŐÖŚŰÙ"
     "ÚÛÜĘȚßàáâăäćæçèéêëìíîïđńòóôőöśűùúûüęțÿ"},
    {STR_INIT("koi8-r"), 128,
     "─│┌┐└┘├┤┬┴┼▀▄█▌▐░▒▓⌠■∙√≈≤≥\u00a0⌡°²·÷═║╒ё╓╔╕╖╗╘╙╚╛╜╝╞╟╠╡Ё╢╣╤╥╦╧╨╩╪╫╬"
     "©юабцдефгхийклмнопярстужвьызшэщчъЮАБЦДЕФГХИЙКЛМНОПЯРСТУЖВЬЫЗШЭЩЧЪ"},
    {STR_INIT("koi8-u"), 128,
     "─│┌┐└┘├┤┬┴┼▀▄█▌▐░▒▓⌠■∙√≈≤≥\u00a0⌡°²·÷═║╒ёє╔ії╗╘╙╚╛ґ╝╞╟╠╡ЁЄ╣ІЇ╦╧╨╩╪Ґ╬"
     "©юабцдефгхийклмнопярстужвьызшэщчъЮАБЦДЕФГХИЙКЛМНОПЯРСТУЖВЬЫЗШЭЩЧЪ"},
    {STR_INIT("ibm866"), 128,
     "АБВГДЕЖЗИЙКЛМНОПРСТУФХЦЧШЩЪЫЬЭЮЯабвгдежзийклмноп░▒▓│┤╡╢╖╕╣║╗╝╜╛┐└┴┬├"
     "─┼╞╟╚╔╩╦╠═╬╧╨╤╥╙╘╒╓╫╪┘┌█▄▌▐▀рстуфхцчшщъыьэюяЁёЄєЇїЎў°∙·√№¤■\u00a0"},
    {STR_INIT("macintosh"), 128,
     "ÄÅÇÉÑÖÜáàâäãåçéèêëíìîïñóòôöõúùûü†°¢£§•¶ß®©™´¨≠ÆØ∞±≤≥¥µ∂∑∏π∫ªºΩæø¿¡¬√"
     "ƒ≈∆«»…\u00a0ÀÃÕŒœ–—“”‘’÷◊ÿŸ⁄€‹›ﬁﬂ‡·‚„‰ÂÊÁËÈÍÎÏÌÓÔÒÚÛÙıˆ˜¯˘˙˚¸˝˛ˇ"},
};

static const struct alias ALIASES[] = {
    {STR_INIT("866"), STR_INIT("ibm866")},
    {STR_INIT("arabic"), STR_INIT("iso-8859-6")},
    {STR_INIT("cp1250"), STR_INIT("windows-1250")},
    {STR_INIT("cp1251"), STR_INIT("windows-1251")},
    {STR_INIT("cp1253"), STR_INIT("windows-1253")},
    {STR_INIT("cp1254"), STR_INIT("windows-1254")},
    {STR_INIT("cp1255"), STR_INIT("windows-1255")},
    {STR_INIT("cp1256"), STR_INIT("windows-1256")},
    {STR_INIT("cp1257"), STR_INIT("windows-1257")},
    {STR_INIT("cp1258"), STR_INIT("windows-1258")},
    {STR_INIT("cp866"), STR_INIT("ibm866")},
    {STR_INIT("cyrillic"), STR_INIT("iso-8859-5")},
    {STR_INIT("dos-874"), STR_INIT("windows-874")},
    {STR_INIT("greek"), STR_INIT("iso-8859-7")},
    {STR_INIT("hebrew"), STR_INIT("iso-8859-8")},
    {STR_INIT("iso-8859-11"), STR_INIT("windows-874")},
    {STR_INIT("iso-8859-8-i"), STR_INIT("windows-1255")},
    {STR_INIT("iso-8859-9"), STR_INIT("windows-1254")},
    {STR_INIT("iso8859-15"), STR_INIT("iso-8859-15")},
    {STR_INIT("iso8859-2"), STR_INIT("iso-8859-2")},
    {STR_INIT("iso8859-7"), STR_INIT("iso-8859-7")},
    {STR_INIT("iso8859-9"), STR_INIT("windows-1254")},
    {STR_INIT("iso_8859-15"), STR_INIT("iso-8859-15")},
    {STR_INIT("iso_8859-2"), STR_INIT("iso-8859-2")},
    {STR_INIT("iso_8859-5"), STR_INIT("iso-8859-5")},
    {STR_INIT("iso_8859-6"), STR_INIT("iso-8859-6")},
    {STR_INIT("iso_8859-7"), STR_INIT("iso-8859-7")},
    {STR_INIT("iso_8859-8"), STR_INIT("iso-8859-8")},
    {STR_INIT("iso_8859-9"), STR_INIT("windows-1254")},
    {STR_INIT("koi"), STR_INIT("koi8-r")},
    {STR_INIT("koi8"), STR_INIT("koi8-r")},
    {STR_INIT("koi8-ru"), STR_INIT("koi8-u")},
    {STR_INIT("latin2"), STR_INIT("iso-8859-2")},
    {STR_INIT("latin3"), STR_INIT("iso-8859-3")},
    {STR_INIT("latin4"), STR_INIT("iso-8859-4")},
    {STR_INIT("latin5"), STR_INIT("windows-1254")},
    {STR_INIT("latin6"), STR_INIT("iso-8859-10")},
    {STR_INIT("latin9"), STR_INIT("iso-8859-15")},
    {STR_INIT("logical"), STR_INIT("windows-1255")},
    {STR_INIT("mac"), STR_INIT("macintosh")},
    {STR_INIT("tis-620"), STR_INIT("windows-874")},
    {STR_INIT("visual"), STR_INIT("iso-8859-8")},
    {STR_INIT("x-cp1250"), STR_INIT("windows-1250")},
    {STR_INIT("x-cp1251"), STR_INIT("windows-1251")},
    {STR_INIT("x-mac-roman"), STR_INIT("macintosh")},
};

/* Sets of many bytes a sign, by how their labels start. */
static const str UNREAD[] = {
    STR_INIT("shift"), STR_INIT("sjis"),        STR_INIT("x-sjis"),
    STR_INIT("euc-"),  STR_INIT("gb"),          STR_INIT("x-gbk"),
    STR_INIT("big5"),  STR_INIT("iso-2022"),    STR_INIT("ks_c"),
    STR_INIT("ksc"),   STR_INIT("korean"),      STR_INIT("hz-gb"),
    STR_INIT("x-euc"), STR_INIT("windows-31j"), STR_INIT("ms_kanji"),
    STR_INIT("utf-7"),
};

/* What is decoded by text/utf8.h; WHATWG reads Latin-1 as Windows-1252. */
static const str UTF8[] = {STR_INIT("utf-8"), STR_INIT("utf8"),
                           STR_INIT("unicode-1-1-utf-8"), STR_INIT("x-utf-8")};
static const str CP1252[] = {
    STR_INIT("windows-1252"), STR_INIT("iso-8859-1"),
    STR_INIT("latin1"),       STR_INIT("us-ascii"),
    STR_INIT("ascii"),        STR_INIT("cp1252"),
    STR_INIT("x-cp1252"),     STR_INIT("l1"),
    STR_INIT("iso8859-1"),    STR_INIT("iso88591"),
    STR_INIT("iso_8859-1"),   STR_INIT("iso_8859-1:1987"),
    STR_INIT("cp819"),        STR_INIT("ibm819"),
    STR_INIT("csisolatin1"),  STR_INIT("iso-ir-100"),
    STR_INIT("latin-1"),      STR_INIT("ansi_x3.4-1968")};

static const struct table *table_find(str label)
{
    for (size_t i = 0; i < NELEMS(ALIASES); i++) {
        if (str_eq_nocase(label, ALIASES[i].label))
            label = ALIASES[i].name;
    }
    for (size_t i = 0; i < NELEMS(TABLES); i++) {
        if (str_eq_nocase(label, TABLES[i].name))
            return &TABLES[i];
    }
    return NULL;
}

static bool is_one_of(str label, const str *v, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        if (str_eq_nocase(label, v[i]))
            return true;
    }
    return false;
}

static bool is_unread(str label)
{
    for (size_t i = 0; i < NELEMS(UNREAD); i++) {
        if (str_eq_nocase(str_sub(label, 0, UNREAD[i].n), UNREAD[i]))
            return true;
    }
    return false;
}

/* A label as there are some: what stands in a note is no more than that. */
static bool is_label(str label)
{
    for (size_t i = 0; i < label.n; i++) {
        if (label.p[i] <= ' ' || label.p[i] > '~')
            return false;
    }
    return label.n > 0 && label.n <= LABEL_BYTES_MAX;
}

/* What is known of a set by its label. */
enum set {
    SET_UNKNOWN,
    SET_UTF8,
    SET_UTF16LE,
    SET_UTF16BE,
    SET_CP1252,
    SET_TABLE,
    SET_UNREAD
};

static enum set set_find(str label, const struct table **t)
{
    *t = NULL;
    if (!is_label(label))
        return SET_UNKNOWN;
    *t = table_find(label);
    if (*t != NULL)
        return SET_TABLE;
    if (is_one_of(label, UTF8, NELEMS(UTF8)))
        return SET_UTF8;
    if (is_one_of(label, CP1252, NELEMS(CP1252)))
        return SET_CP1252;
    if (str_eq_nocase(label, STR("utf-16be")))
        return SET_UTF16BE;
    if (str_eq_nocase(label, STR("utf-16")) ||
        str_eq_nocase(label, STR("utf-16le")))
        return SET_UTF16LE;
    return is_unread(label) ? SET_UNREAD : SET_UNKNOWN;
}

bool charset_tells(str label)
{
    const struct table *t;
    enum set set = set_find(label, &t);

    return set != SET_UNKNOWN && set != SET_UTF8;
}

/* By table, then cleaned as all text is. */
static rc decode_table(const struct table *t, str bytes, struct buf *to,
                       struct charset_how *how, struct err *e)
{
    str signs = str_of(t->signs), sign[128];
    struct decoded again;
    struct buf raw;
    size_t at = 0;
    rc code;

    for (unsigned i = 0; i < t->n; i++) {
        size_t start = at;
        uint32_t cp = utf8_next(signs, &at);

        sign[128 - t->n + i] =
            cp == 0xfffd ? STR_NONE : str_sub(signs, start, at - start);
    }
    for (unsigned i = 0; i < 128 - t->n; i++)
        sign[i] = STR_NONE;
    buf_open(&raw, TEXT_BYTES_MAX);
    for (size_t i = 0; i < bytes.n && raw.code == RC_OK; i++) {
        uint8_t byte = (uint8_t)bytes.p[i];

        if (byte < 0x80)
            buf_put_char(&raw, bytes.p[i]);
        else if (sign[byte - 0x80].n > 0)
            buf_put(&raw, sign[byte - 0x80]);
        else
            utf8_put(&raw, 0xfffd);
        how->replaced =
            how->replaced || (byte >= 0x80 && sign[byte - 0x80].n == 0);
    }
    code = buf_end(&raw, e);
    if (code == RC_OK)
        code = utf8_decode(buf_str(&raw), to, &again, e);
    buf_close(&raw);
    return code;
}

/* Bytes that are text without a word about them, and are no guess. */
static bool speak_for_themselves(const struct decoded *d)
{
    return d->charset != CHARSET_CP1252;
}

/* Sets that switch by escapes look like ASCII. */
static bool is_switched(str bytes, str label)
{
    return is_label(label) &&
           str_eq_nocase(str_sub(label, 0, 8), STR("iso-2022")) &&
           str_find_char(bytes, '\x1b') < bytes.n;
}

rc charset_decode(str bytes, str label, struct buf *to, struct charset_how *how,
                  struct err *e)
{
    const struct table *table;
    struct decoded d;
    enum set set;
    rc code = utf8_decode(bytes, to, &d, e);

    *how = (struct charset_how){.charset = d.charset, .replaced = d.replaced};
    if (code != RC_OK && code != RC_FORMAT)
        return code;
    if (code == RC_OK && speak_for_themselves(&d)) {
        if (is_switched(bytes, label))
            how->unread = label;
        return RC_OK;
    }
    set = set_find(label, &table);
    switch (set) {
    case SET_UNKNOWN:
    case SET_UTF8:
        how->guessed = true;
        return code;
    case SET_CP1252:
        return code;
    case SET_UNREAD:
        how->unread = label;
        return code;
    case SET_UTF16LE:
    case SET_UTF16BE:
        /* Letters of eight bits pass for Chinese in UTF-16: it is believed only
         * where bytes are no text otherwise. */
        how->guessed = code == RC_OK;
        if (code == RC_OK)
            return RC_OK;
        how->charset = set == SET_UTF16BE ? CHARSET_UTF16BE : CHARSET_UTF16LE;
        return utf16_decode(bytes, set == SET_UTF16BE, to, &how->replaced, e);
    case SET_TABLE:
        break;
    }
    buf_clear(to);
    how->replaced = false;
    return decode_table(table, bytes, to, how, e);
}

// The page's look in one place; its colours are theme.h's.
#include "cpm/report/html.h"
#include "cpm/report/theme.h"

namespace cpm {
namespace {

constexpr const char* kPage = R"css(
*{box-sizing:border-box}
html{-webkit-text-size-adjust:100%;text-size-adjust:100%}
body{margin:0;background:var(--ground);color:var(--ink);
font:16px/1.55 system-ui,-apple-system,"Segoe UI",Roboto,"Helvetica Neue",Arial,sans-serif}
main{max-width:1120px;margin:0 auto;padding:40px 24px 72px}
h1{font-size:clamp(26px,5vw,38px);line-height:1.15;letter-spacing:-.02em;margin:0 0 10px;
overflow-wrap:anywhere}
h2{font-size:21px;letter-spacing:-.01em;line-height:1.3;margin:52px 0 4px}
h3{font-size:15px;font-weight:600;margin:0 0 8px}
h4{font-size:13.5px;font-weight:500;color:var(--soft);margin:0}
h3.row{margin:26px 0 10px}
p{margin:0;max-width:72ch}
code{font:.92em ui-monospace,SFMono-Regular,Menlo,Consolas,"DejaVu Sans Mono",monospace;
white-space:nowrap}
.summary{font-size:18px;color:var(--soft)}
.verdict{font-size:20px;line-height:1.45;margin-bottom:10px}
.verdict+.summary{font-size:16px}
.state{font-weight:600;color:var(--s2);margin-bottom:10px}
nav{display:flex;flex-wrap:wrap;gap:6px 20px;margin-top:22px;font-size:14.5px}
a{color:var(--accent);text-decoration:none}a:hover{text-decoration:underline}
.note{color:var(--soft);font-size:14.5px;margin-bottom:14px}
.facts{display:grid;grid-template-columns:repeat(var(--n),minmax(0,1fr));gap:12px;margin:28px 0 0}
.facts div{background:var(--card);border:1px solid var(--line);border-radius:12px;padding:14px 16px}
.facts dt{color:var(--soft);font-size:13px;line-height:1.35}
.facts dd{margin:4px 0 0;font-size:20px;font-weight:650;line-height:1.25;letter-spacing:-.01em;
font-variant-numeric:tabular-nums;overflow-wrap:anywhere}
.facts .long{font-size:16px}
.card{background:var(--card);border:1px solid var(--line);border-radius:12px;padding:18px 18px 12px;
min-width:0}
.charts{display:grid;grid-template-columns:repeat(auto-fit,minmax(min(100%,300px),1fr));gap:16px;
margin-top:16px}
.pair{display:grid;grid-template-columns:repeat(auto-fit,minmax(min(100%,300px),1fr));gap:16px;
align-items:start}
.stack{display:grid;gap:16px;min-width:0}.below{margin-top:16px}
.panels{display:grid;grid-template-columns:repeat(auto-fill,minmax(max(136px,21%),1fr));gap:14px 18px}
@media (max-width:760px){.facts{grid-template-columns:repeat(auto-fill,minmax(150px,1fr))}}
@media (max-width:520px){main{padding:28px 16px 56px}
.card{padding:14px 12px 10px}}
)css";

constexpr const char* kCharts = R"css(
svg{display:block;width:100%;height:auto;overflow:visible;font-family:inherit;font-size:12px;
font-variant-numeric:tabular-nums}
.pair svg{max-height:340px}
.medium,.narrow{display:none}
@media (max-width:960px){.wide{display:none}.medium{display:block}}
@media (max-width:520px){.medium{display:none}.narrow{display:block}}
.grid{stroke:var(--grid)}.axis{stroke:var(--soft);opacity:.55}
.tick{fill:var(--soft)}.end{text-anchor:end}.mid{text-anchor:middle}
.s1{--c:var(--s1)}.s2{--c:var(--s2)}.s3{--c:var(--s3)}.s4{--c:var(--s4)}.s5{--c:var(--s5)}.s6{--c:var(--s6)}
.one{--c:var(--accent)}.none{--c:var(--soft)}.key{--c:var(--soft)}
.curve,.raw{fill:none;stroke:var(--c);stroke-linejoin:round;stroke-linecap:round}
.curve{stroke-width:2}.raw{stroke-width:1;opacity:.2}
.raw.many{opacity:.13}.raw.key{stroke-width:5;opacity:.35}
.dot{fill:var(--card);stroke:var(--c);stroke-width:2}
.level{stroke:var(--c);stroke-width:1.4;stroke-dasharray:6 5;opacity:.85}
.leader{stroke:var(--c);opacity:.4}
.label{fill:var(--c);font-weight:600;white-space:pre}
.halo{fill:var(--c);paint-order:stroke;stroke:var(--card);stroke-width:4px;stroke-linejoin:round}
.bars{display:grid;grid-template-columns:minmax(0,max-content) minmax(80px,1fr) max-content;gap:7px 12px;
align-items:center;font-size:14px;margin:0}
.bars span{overflow-wrap:anywhere}
.bars i{display:flex;height:14px;border-radius:4px;background:var(--grid);overflow:hidden}
.bars b{display:block;height:100%;background:var(--c)}
.bars .near,.keys .near{opacity:.38}
.bars .twin,.keys .twin{background:repeating-linear-gradient(115deg,var(--ink) 0 1.5px,transparent 1.5px 5px)}
.bars em{font-style:normal;text-align:right;font-variant-numeric:tabular-nums;color:var(--soft)}
.right{--c:var(--warm)}.left{--c:var(--cool)}.middle{--c:var(--middle)}
.keys{display:flex;flex-wrap:wrap;gap:4px 18px;font-size:13.5px;color:var(--soft);margin:0 0 14px;
align-items:center}
.keys i{display:inline-block;width:18px;height:6px;border-radius:3px;background:var(--c);margin-right:7px;
vertical-align:2px}
.keys .truth{background:#fff;outline:1.5px solid #444c57;height:3px}
.keys .twin{height:10px;border-radius:2px}
.keys .ring{width:9px;height:9px;border-radius:50%;background:none;border:1.5px solid #fff;
outline:1px solid #444c57;vertical-align:-1px}
.keys .ramp{display:inline-block;width:150px;height:12px;border-radius:3px;vertical-align:-1px;margin:0 8px}
)css";

constexpr const char* kRest = R"css(
.gallery{display:grid;gap:16px 14px;grid-template-columns:repeat(auto-fill,minmax(230px,1fr))}
.gallery.small{grid-template-columns:repeat(auto-fill,minmax(150px,1fr))}
@media (max-width:520px){.gallery{grid-template-columns:repeat(auto-fill,minmax(145px,1fr))}
.gallery.small{grid-template-columns:repeat(auto-fill,minmax(100px,1fr))}}
.belief{display:grid;gap:18px;grid-template-columns:minmax(180px,26%) minmax(0,1fr);align-items:start}
.strips{display:grid;gap:14px;
grid-template-columns:repeat(auto-fill,minmax(min(100%,calc(var(--t)*66px)),1fr))}
@media (max-width:520px){.strips{
grid-template-columns:repeat(auto-fill,minmax(min(100%,calc(var(--t)*52px)),1fr))}}
@media (max-width:760px){.belief{grid-template-columns:minmax(0,1fr)}.belief>div:first-child{max-width:280px}}
figure{margin:0;min-width:0}
figure img{display:block;width:100%;height:auto;border-radius:8px;background:var(--grid)}
figcaption{font-size:13.5px;line-height:1.4;color:var(--soft);margin-top:6px;overflow-wrap:anywhere}
details{background:var(--card);border:1px solid var(--line);border-radius:12px;margin-top:12px}
summary{cursor:pointer;padding:13px 18px;font-weight:600}
summary:focus-visible{outline:2px solid var(--accent);outline-offset:2px;border-radius:12px}
details>div{padding:2px 18px 16px;overflow-x:auto}
pre{margin:0;font:13px/1.5 ui-monospace,SFMono-Regular,Menlo,Consolas,"DejaVu Sans Mono",monospace;tab-size:4}
table{border-collapse:collapse;font-size:14.5px;width:100%}
th,td{text-align:left;vertical-align:top;padding:6px 18px 6px 0;border-top:1px solid var(--line);
overflow-wrap:anywhere}
tr:first-child>*{border-top:0}
th{color:var(--soft);font-weight:500;width:30%;min-width:110px}
.plan{font-size:13px}.plan th{width:auto;min-width:0}.plan td,.plan th{white-space:nowrap}
.plan .number{text-align:right;font-variant-numeric:tabular-nums}
)css";

constexpr const char* kPrint = R"css(
*{-webkit-print-color-adjust:exact;print-color-adjust:exact}
body{font-size:11pt}main{max-width:none;padding:0}
.card,.facts div,figure,tr{break-inside:avoid}h2,h3,.note,.keys{break-after:avoid}
pre{white-space:pre-wrap;overflow-wrap:anywhere}
.whole .wide{display:block}.whole .medium,.whole .narrow{display:none}
p{break-inside:avoid}nav{display:none}h2{margin-top:30px}
.facts{grid-template-columns:repeat(var(--n),minmax(0,1fr))}
.gallery{grid-template-columns:repeat(4,1fr)}.gallery.small{grid-template-columns:repeat(6,1fr)}
)css";

}  // namespace

std::string page_style() {
  return ":root{color-scheme:light dark;" + theme_properties(Theme::Light) +
         "}\n@media (prefers-color-scheme:dark){:root{" + theme_properties(Theme::Dark) + "}}\n" + kPage +
         kCharts + kRest + "@media print{:root{color-scheme:light;" + theme_properties(Theme::Print) + "}" +
         kPrint + "}\n";
}

}  // namespace cpm

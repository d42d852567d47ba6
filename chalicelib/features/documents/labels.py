"""The words on documents, per language. Source: rules/invoices 12."""

from collections.abc import Mapping

_NAMES = [
    "invoice",
    "tax_invoice",
    "advance_invoice",
    "draft",
    "number",
    "issue_date",
    "payment_term",
    "days",
    "due_date",
    "from",
    "to",
    "email",
    "tax_id",
    "due",
    "summary",
    "subscription",
    "fees",
    "item",
    "units",
    "unit_price",
    "tax_rate",
    "amount",
    "events",
    "subtotal_excl",
    "tax",
    "on",
    "subtotal_incl",
    "credit_notes",
    "coupons",
    "prepaid",
    "total_due",
    "total",
    "period",
    "interval_weekly",
    "interval_monthly",
    "interval_quarterly",
    "interval_semiannual",
    "interval_yearly",
    "page",
    "of",
    "legal_number",
]

_TEXTS = {
    "en": (
        "Invoice|Tax invoice|Advance invoice|Draft|Invoice number|Issue date|Payment term|days|Due date|From|Bill to|Email|Tax ID|"
        "due|Summary|Subscription|Fees|Item|Units|Unit price|Tax rate|Amount|Events|Subtotal (excl. tax)|Tax|on|Subtotal (incl. tax)|Credit notes|"
        "Coupons|Prepaid credits|Total due|Total|Period|Weekly subscription|Monthly subscription|Quarterly subscription|Semiannual subscription|Yearly subscription|"
        "Page|of|Legal number"
    ),
    "fr": (
        "Facture|Facture|Facture d’acompte|Brouillon|Numéro de facture|Date d’émission|Délai de paiement|jours|Échéance|De|Facturé à|E-mail|N° TVA|"
        "à payer le|Récapitulatif|Abonnement|Frais|Article|Unités|Prix unitaire|Taux de taxe|Montant|Événements|Sous-total (HT)|Taxe|sur|Sous-total (TTC)|Avoirs|"
        "Remises|Crédits prépayés|Total à payer|Total|Période|Abonnement hebdomadaire|Abonnement mensuel|Abonnement trimestriel|Abonnement semestriel|Abonnement annuel|"
        "Page|sur|Numéro légal"
    ),
    "de": (
        "Rechnung|Rechnung|Anzahlungsrechnung|Entwurf|Rechnungsnummer|Rechnungsdatum|Zahlungsziel|Tage|Fällig am|Von|Rechnung an|E-Mail|USt-IdNr.|"
        "fällig am|Übersicht|Abonnement|Gebühren|Position|Einheiten|Einzelpreis|Steuersatz|Betrag|Ereignisse|Zwischensumme (netto)|Steuer|auf|Zwischensumme (brutto)|Gutschriften|"
        "Gutscheine|Guthaben|Gesamtbetrag|Summe|Zeitraum|Wöchentliches Abonnement|Monatliches Abonnement|Vierteljährliches Abonnement|Halbjährliches Abonnement|Jährliches Abonnement|"
        "Seite|von|Handelsregisternummer"
    ),
    "nb": (
        "Faktura|Faktura|Forskuddsfaktura|Utkast|Fakturanummer|Fakturadato|Betalingsfrist|dager|Forfallsdato|Fra|Faktureres til|E-post|MVA-nummer|"
        "forfaller|Sammendrag|Abonnement|Gebyrer|Vare|Enheter|Enhetspris|Avgiftssats|Beløp|Hendelser|Delsum (ekskl. mva.)|Avgift|av|Delsum (inkl. mva.)|Kreditnotaer|"
        "Kuponger|Forhåndsbetalt|Å betale|Sum|Periode|Ukentlig abonnement|Månedlig abonnement|Kvartalsabonnement|Halvårlig abonnement|Årlig abonnement|"
        "Side|av|Organisasjonsnummer"
    ),
    "it": (
        "Fattura|Fattura|Fattura di acconto|Bozza|Numero fattura|Data di emissione|Termini di pagamento|giorni|Scadenza|Da|Intestata a|E-mail|Partita IVA|"
        "scadenza|Riepilogo|Abbonamento|Costi|Voce|Unità|Prezzo unitario|Aliquota|Importo|Eventi|Subtotale (IVA esclusa)|Imposta|su|Subtotale (IVA inclusa)|Note di credito|"
        "Coupon|Crediti prepagati|Totale dovuto|Totale|Periodo|Abbonamento settimanale|Abbonamento mensile|Abbonamento trimestrale|Abbonamento semestrale|Abbonamento annuale|"
        "Pagina|di|Numero legale"
    ),
    "es": (
        "Factura|Factura|Factura de anticipo|Borrador|Número de factura|Fecha de emisión|Plazo de pago|días|Vencimiento|De|Facturar a|Correo electrónico|NIF/IVA|"
        "vence el|Resumen|Suscripción|Cargos|Concepto|Unidades|Precio unitario|Tipo impositivo|Importe|Eventos|Subtotal (sin impuestos)|Impuesto|sobre|Subtotal (con impuestos)|Notas de crédito|"
        "Cupones|Créditos prepagados|Total a pagar|Total|Período|Suscripción semanal|Suscripción mensual|Suscripción trimestral|Suscripción semestral|Suscripción anual|"
        "Página|de|Número legal"
    ),
    "sv": (
        "Faktura|Faktura|Förskottsfaktura|Utkast|Fakturanummer|Fakturadatum|Betalningsvillkor|dagar|Förfallodatum|Från|Faktureras till|E-post|Momsreg.nr|"
        "förfaller|Sammanfattning|Abonnemang|Avgifter|Artikel|Enheter|Enhetspris|Skattesats|Belopp|Händelser|Delsumma (exkl. moms)|Skatt|på|Delsumma (inkl. moms)|Kreditnotor|"
        "Kuponger|Förbetalda krediter|Att betala|Summa|Period|Veckoabonnemang|Månadsabonnemang|Kvartalsabonnemang|Halvårsabonnemang|Årsabonnemang|"
        "Sida|av|Organisationsnummer"
    ),
    "pt-BR": (
        "Fatura|Fatura|Fatura de adiantamento|Rascunho|Número da fatura|Data de emissão|Prazo de pagamento|dias|Vencimento|De|Cobrar de|E-mail|CNPJ|"
        "vence em|Resumo|Assinatura|Tarifas|Item|Unidades|Preço unitário|Alíquota|Valor|Eventos|Subtotal (sem impostos)|Imposto|sobre|Subtotal (com impostos)|Notas de crédito|"
        "Cupons|Créditos pré-pagos|Total a pagar|Total|Período|Assinatura semanal|Assinatura mensal|Assinatura trimestral|Assinatura semestral|Assinatura anual|"
        "Página|de|Número legal"
    ),
    "zh-TW": (
        "發票|稅務發票|預付發票|草稿|發票號碼|開立日期|付款期限|天|到期日|寄件人|帳單寄送至|電子郵件|統一編號|"
        "到期日|摘要|訂閱|費用|項目|數量|單價|稅率|金額|事件|小計（未稅）|稅|對|小計（含稅）|折讓單|"
        "優惠券|預付點數|應付總額|總計|期間|每週訂閱|每月訂閱|每季訂閱|每半年訂閱|每年訂閱|"
        "頁|共|登記號碼"
    ),
}

# Countries whose law wants this title. Source: rules/invoices 12.
TAX_INVOICE_COUNTRIES = frozenset({"AU", "AE", "NZ", "ID", "SG"})

LOCALES: Mapping[str, str] = {"pt-BR": "pt_BR", "zh-TW": "zh_Hant_TW"}


def labels(locale: str) -> dict[str, str]:
    """The words of a language; English for one that is not known."""
    texts = _TEXTS.get(locale, _TEXTS["en"]).split("|")
    return dict(zip(_NAMES, texts, strict=True))
